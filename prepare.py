"""Make a text's tokens before training: `python prepare.py --config gpt2.yaml`. train.py then finds them.

Of a large text (data.sharded) it goes on after the last whole shard, and compares those that are there with their
checksums; a damaged one is made again.
"""

import argparse

from common.arguments import Arguments, nonempty_text, whole_number
from common.errors import InputError, run_script
from common.process import begin_script
from common.terminal import say, use_utf8

DESCRIPTION = """\
Read a text, cut it into tokens and keep them, as train.py does where they are not there yet. stdout ends with a line
that says where they are.

  python prepare.py --config gpt2.yaml
  python prepare.py --data.source texts/ --data.sharded true --data.tokenizer gpt2 --workers 4"""


def main() -> None:
    args, rest = parse_arguments()
    # imported only now: --help does not wait for torch
    from common.options import parse_overrides
    from data.corpus import load_corpus
    from data.large import read_or_prepare
    from experiment.command_line import load_new
    from experiment.meant import check_words

    check_words(rest, ["config", "workers"])
    config, origin = load_new(args.config, parse_overrides(rest))
    data, tokenizer = config.data, origin.tokenizer if origin else None
    if args.workers and not data.sharded:
        raise InputError(f"--workers {args.workers}: only with data.sharded true, whose text several processes read")
    if data.sharded:
        read_or_prepare(data, tokenizer, say, workers=args.workers, verifying=True)
    corpus = load_corpus(data, config.model.block_size, report=say, tokenizer=tokenizer)
    say(
        f"{len(corpus.train):,} tokens to train on, {len(corpus.val):,} to validate on, of {corpus.tokenizer.name} "
        f"({corpus.tokenizer.vocab_size:,} in the vocabulary), in {data.cache}"
    )


def parse_arguments() -> tuple[argparse.Namespace, list[str]]:
    epilog = "Every key of the configuration is an option too, as for train.py, which lists them: --section.key value."
    parser = Arguments(description=DESCRIPTION, epilog=epilog)
    config = "a path, or a name found in configs/ (default small.yaml)"
    parser.add_argument("--config", metavar="FILE", type=nonempty_text, default="small.yaml", help=config)
    workers = "processes that read a large text, each on a core (default: as many as there are cores)"
    parser.add_argument("--workers", metavar="N", type=whole_number(1), help=workers)
    return parser.parse_known_args()


if __name__ == "__main__":
    use_utf8()
    begin_script()
    run_script(main)
