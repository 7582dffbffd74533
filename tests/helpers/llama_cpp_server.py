"""llama.cpp's server with the model in the file that is named, until it is killed; it prints its address.

A process of its own: xllamacpp waits for ever, now and then, when a server that has just begun is to end.
"""

import sys
import time

import xllamacpp

options = xllamacpp.CommonParams()
options.model.path = sys.argv[1]
options.n_parallel, options.port, options.verbosity, options.ui = 1, 0, -1, False
options.cpuparams.n_threads = options.cpuparams_batch.n_threads = 1
options.warmup = options.fit_params = False
options.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
options.cache_type_k = options.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
server = xllamacpp.Server(options)
print("listens at", server.listening_address, flush=True)
while True:
    time.sleep(60)
