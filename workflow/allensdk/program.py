"""What the programs of this folder share: a request and an answer in JSON, and failures of one line.

They run inside the environment of the Allen SDK, which may be as old as Python 3.8, and know nothing of neurocompare.
"""

import json
import sys
import traceback
from pathlib import Path


class Refused(Exception):
    """What the user can put right, told in one line."""


def tell(line):
    """Report progress; the caller writes it to the log of the job."""
    print(line, flush=True)


def one_line(error):
    """Return what an exception of another library says, without line breaks, and not at length."""
    text = " ".join(str(error).split())
    return (text if len(text) < 200 else text[:200] + " …") or type(error).__name__


def unreachable(error):
    """Tell whether an exception says that the network, and not the content, is at fault."""
    chain = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    names = {kind.__name__ for found in chain for kind in type(found).__mro__}
    return bool(names & {"ConnectionError", "URLError", "Timeout", "TimeoutError", "ConnectTimeout", "ReadTimeout"})


def main(work):
    """Run `work` on the request, a JSON file; write what it returns to the answer, another one.

    Parameters
    ----------
    work : callable
        Takes the request, a dict, and returns the answer, a dict.
    """
    request, answer = map(Path, sys.argv[1:3])
    try:
        answer.write_text(json.dumps(work(json.loads(request.read_text(encoding="utf-8")))), encoding="utf-8")
    except Refused as error:
        sys.exit("error: " + " ".join(str(error).split()))
    except Exception as error:
        # Whatever the SDK raises: name the place, as its messages seldom do.
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(frame.filename).name}:{frame.lineno}"
        sys.exit(f"error: the Allen SDK failed with {type(error).__name__}: {one_line(error)} ({place})")
