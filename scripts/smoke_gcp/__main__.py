"""The command: `scripts/smoke_gcp.sh`."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import NoReturn

from local.stack.layout import REPO
from scripts.smoke_gcp import steps
from scripts.smoke_gcp.cloud import Cloud
from scripts.smoke_gcp.ledgers import generated_network, kit_ledgers
from scripts.smoke_gcp.options import Options, SmokeError, options_of, parser, uses_stand_ins
from scripts.smoke_gcp.runner import running

INTERRUPTED = 130


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ignore signals during the block."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _describe(options: Options) -> None:
    print(f"project  {options.project}{', by the stand-ins' if uses_stand_ins() else ''}")
    print(f"dataset  {options.dataset}")
    print(f"bucket   {options.bucket}")
    print(f"folder   {options.folder}", flush=True)


def _do(options: Options, cloud: Cloud) -> None:
    """Run all steps, and print their cost."""
    kit, sample = kit_ledgers(options.folder / "kit"), generated_network(options.folder / "sample")
    with running(options, kit.lake, kit.passphrase) as runner:
        verdicts = steps.do(steps.Smoke(options, cloud, runner, kit, sample))
    print(f"all steps passed: {steps.summary(verdicts, options.price_per_tib)}")


def _clean_up(options: Options, cloud: Cloud) -> bool:
    """Delete the dataset and the bucket, unless they are kept; return whether that succeeded."""
    if options.keep:
        print("kept; delete them with:", *options.removal, sep="\n  ")
        return True
    print("deleting the dataset and the bucket", flush=True)
    with _uninterrupted():
        problems = cloud.delete()
    if problems:
        print("smoke_gcp.sh:", *problems, "delete them with:", *options.removal, sep="\n  ", file=sys.stderr)
    return not problems


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command: exit status 0, 1 with the problem on stderr, or 130 after an interrupt.

    Args:
        argv: Arguments without the program's name; the process's own when None.
    """
    arguments = parser().parse_args(argv)
    options = options_of(arguments, REPO / ".local" / "smoke")
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        _describe(options)
        if arguments.dry_run:
            print(
                "would do, and then delete the dataset and the bucket:",
                *(step.name for step in steps.STEPS),
                sep="\n  ",
            )
            return 0
        cloud = Cloud(options)
    except SmokeError as error:
        print(f"smoke_gcp.sh: {error}", file=sys.stderr)
        return 1
    status = 1
    try:
        cloud.create()
        _do(options, cloud)
        status = 0
    except SmokeError as error:
        print(f"smoke_gcp.sh: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        status = INTERRUPTED
    finally:
        clean = _clean_up(options, cloud)
    return status if clean else status or 1


if __name__ == "__main__":
    sys.exit(main())
