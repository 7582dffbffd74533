"""What was meant by a name that nothing here has: another word for the same thing, another spelling, or a slip."""

import difflib
from collections.abc import Iterable

# What is called otherwise elsewhere: our name, and the field's or people's words for it.
OTHER_WORDS = {
    # of a run
    "source": "data dataset data_dir data_path input text txt file filename corpus train_file training_data",
    "vocab_size": "vocab n_vocab",
    "val_fraction": "val_split validation_split val_ratio val_size test_size test_split",
    "text_column": "column text_field field",
    "n_layer": "layers num_layers num_hidden_layers depth",
    "n_head": "heads num_heads num_attention_heads attention_heads",
    "n_embd": "d_model dim hidden hidden_size hidden_dim embed_dim emb_dim embedding_dim embedding_size width",
    "block_size": "context ctx n_ctx context_size context_length seq_len seq_length sequence_length max_seq_len "
    "max_length n_positions window",
    "steps": "iters iterations max_iters num_iters n_iter max_iterations updates",
    "max_epochs": "epoch num_epochs n_epochs num_train_epochs",
    "minutes": "time hours duration max_time",
    "batch_size": "bs batch per_device_train_batch_size train_batch_size",
    "micro_batch_size": "accumulation grad_accum accumulate_grad_batches gradient_accumulation "
    "gradient_accumulation_steps",
    "learning_rate": "lr rate eta alpha max_lr base_lr step_size",
    "final_share": "min_lr end_lr",
    "warmup_steps": "warmup warmup_iters num_warmup_steps warmup_ratio",
    "schedule": "scheduler lr_scheduler lr_scheduler_type lr_schedule decay",
    "weight_decay": "wd l2",
    "grad_clip": "clip clip_grad clip_norm max_grad_norm gradient_clip_val gradient_clipping",
    "eval_every": "eval_interval eval_steps val_interval eval_freq",
    "save_every": "save_interval save_steps checkpoint_every save_freq",
    "log_every": "log_interval logging_steps log_freq",
    "device": "gpu gpus cuda cpu mps accelerator",
    "dtype": "precision mixed_precision amp fp16 bf16 fp32 float16 half quantize quantization quant",
    "threads": "num_threads cores workers num_workers",
    "mode": "wandb use_wandb wandb_log report_to",
    # of the scripts
    "out": "o output outfile output_file outdir output_dir save_dir",
    "to": "format target outtype",
    "push": "push_to_hub upload hub repo repo_id",
    "config": "c cfg conf yaml configuration config_file model recipe",
    "run": "o out output out_dir output_dir name run_name experiment save_dir logdir model model_dir resume",
    "resume": "r load continue restore checkpoint ckpt init_from resume_from resume_from_checkpoint",
    "prompt": "p start input text beginning context",
    "tokens": "n length max_length max_tokens max_new_tokens num_tokens new_tokens",
    "samples": "num_samples n_samples num_return_sequences count",
    "temperature": "t temp",
    "top_k": "k",
    # of their values
    "cuda": "gpu nvidia",
    "mps": "apple metal m1",
    "bfloat16": "bf16 amp",
    "float16": "fp16 half",
    "float32": "fp32 full single float",
    "disabled": "off no none false",
    "online": "on yes true",
    "true": "yes on 1",
    "false": "no off 0",
}


def nearest(word: str, names: Iterable[str]) -> str | None:
    """The one of `names` that `word` may have been meant as; None where none is near."""
    word = plain(word)
    ours = {plain(name): name for name in names}
    if word in ours:
        return ours[word]
    for name, others in OTHER_WORDS.items():
        if name in ours and word in others.split():
            return ours[name]
    # a slip seldom changes the first letter: version is none of revision
    same_first = [name for name in ours if name[:1] == word[:1]]
    if close := difflib.get_close_matches(word, same_first, n=1) or difflib.get_close_matches(word, ours, 1, 0.85):
        return ours[close[0]]
    words = set(word.split("_"))
    # "temp" begins one, "epochs" is a part of one, and one is a part of "num_samples"
    begun = [name for name in ours if len(word) > 2 and name.startswith(word)]
    shared = [name for name in ours if words <= set(name.split("_")) or words >= set(name.split("_"))]
    return ours[(begun + shared)[0]] if begun or shared else None


def plain(name: str) -> str:
    return name.strip("-").lower().replace("-", "_")


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    meant = nearest(word, choices)
    return f"; did you mean {meant}?" if meant else ""
