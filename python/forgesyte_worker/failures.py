"""failures.py -- what a plugin raised, as the words of an ERROR.

Knows: exceptions, tracebacks, pip's names of modules.   May not know: the channel.   Threads: any.
What the box refuses is hints.py's matter.

Whatever a plugin raises gets here, also exceptions whose __str__ raises and chains without end: the
functions of this file always come back with something that can be sent.
"""
import os
import re
import sys
import traceback
from typing import Any, List, NamedTuple, Optional

from forgesyte import _near
from forgesyte.errors import Cancelled, ToolError

from . import hints, wire

WORDS_MAX = 4096
TRACEBACK_MAX = 16 << 10
FRAMES_READ = 200
OWN_FRAMES_MAX = 24  # of the plugin; all others together half as many
# The host shows this much of a failed load, words and traceback (docs/HEALTH-API.md, `reason`).
REASON_MAX = 1000

_LIBDIR = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_CONTROLS = {c: f"\\x{c:02x}" for c in [*range(32), 127, *range(128, 160)] if chr(c) not in "\n\t"}

# As plugin_errors.c has it, where the host says the same before a plugin is started.
PIP_NAMES = {
    "Crypto": "pycryptodome", "OpenSSL": "pyopenssl", "PIL": "pillow", "attr": "attrs",
    "bs4": "beautifulsoup4", "cv2": "opencv-python-headless", "dateutil": "python-dateutil",
    "docx": "python-docx", "dotenv": "python-dotenv", "fitz": "pymupdf", "git": "gitpython",
    "jwt": "pyjwt", "magic": "python-magic", "serial": "pyserial", "skimage": "scikit-image",
    "sklearn": "scikit-learn", "usb": "pyusb", "yaml": "pyyaml",
}


class Failure(NamedTuple):
    kind: int
    type: str
    words: str
    traceback: str = ""


UNSPEAKABLE = Failure(wire.EXCEPTION, "Exception", "an exception that cannot be described")


class Told(Exception):
    """Raised by the runtime itself: `type` and words say all, a traceback would add nothing."""

    def __init__(self, type: str, words: str) -> None:
        super().__init__(words)
        self.type = type


class Failures:
    def __init__(self, load: wire.Load) -> None:
        self._own = os.path.join(load.dir, "")
        self._interpreter = load.interpreter
        self._hints = hints.Hints(load)

    def of_load(self, e: BaseException) -> Failure:
        return self._of_stage(wire.IMPORT, "ImportError", e)

    def of_init(self, e: BaseException) -> Failure:
        return self._of_stage(wire.EXCEPTION, "InitError", e)

    def of_validate(self, e: BaseException) -> Failure:
        return self._of_stage(wire.EXCEPTION, "ValidationError", e)

    def of_call(self, e: BaseException) -> Failure:
        if isinstance(e, ToolError):
            given = e.type if isinstance(e.type, str) else ""
            type_ = given if _TYPE.fullmatch(given) else "ToolError"
            return Failure(wire.DECLARED, type_, _bounded(_str(e) or type_))
        if isinstance(e, Told):
            return Failure(wire.EXCEPTION, e.type, _bounded(str(e)))
        cancelled = _cancelled_in(e)
        if cancelled is not None:
            words = _str(cancelled) or "raised by the plugin itself"
            return Failure(wire.EXCEPTION, "Cancelled", _bounded(words))
        return Failure(wire.EXCEPTION, _type_name(e), self._words(e), self._traceback(e))

    def _of_stage(self, kind: int, type_: str, e: BaseException) -> Failure:
        """There `type_` is what the host calls it, so the class's name goes in front."""
        if isinstance(e, Told):
            return Failure(kind, type_, _bounded(str(e)))
        name = "ImportError" if isinstance(e, ImportError) else _type_name(e)
        words = _bounded(f"{name}: {self._words(e)}")
        return Failure(kind, type_, words, self._traceback(e))

    def shown(self, failure: Failure, e: BaseException) -> Failure:
        """Of a failed load, whose reason begins with the words and has no room for all: with as
        much of the traceback as fits, the plugin's own frames before those of libraries."""
        if not failure.traceback:
            return failure
        room = REASON_MAX - len(failure.words.encode("utf-8", "replace"))
        text = ""
        for own in (OWN_FRAMES_MAX, 4, 2, 1):
            for others in (OWN_FRAMES_MAX // 2, 2, 0):
                text = self._traceback(e, own, others, again=False)
                if len(text.encode("utf-8", "replace")) <= room:
                    return failure._replace(traceback=text)
        return failure._replace(traceback=text)

    # --- words ------------------------------------------------------------------------------------

    def _words(self, e: BaseException) -> str:
        if isinstance(e, SystemExit):
            words = f"sys.exit({e.code!r})" if e.code is not None else "sys.exit()"
        else:
            words = _str(e) or self._place(e)
        if isinstance(e, ModuleNotFoundError) and isinstance(e.name, str):
            words += self._how_to_get(e.name)
        return _bounded(words + self._hints.of(e))

    def _place(self, e: BaseException) -> str:
        """For an exception that says nothing (an assert, a KeyboardInterrupt): where it was."""
        try:
            frames = traceback.extract_tb(e.__traceback__)
            own = [f for f in frames if f.filename.startswith(self._own)] or frames
            return f"in {os.path.basename(own[-1].filename)} line {own[-1].lineno}: {own[-1].line}"
        except Exception:
            return type(e).__name__

    def _how_to_get(self, module: str) -> str:
        top = module.partition(".")[0]
        if top in getattr(sys, "stdlib_module_names", ()):
            return (". It belongs to Python's standard library, of which this interpreter has only"
                    " a part")
        if top == "app":
            return (". Of the ForgeSyte server, plugins have app.plugins.base and app.models; what"
                    " else they import from app they must bring along")
        if top != module and _is_there(top):
            where = "in the plugin's folder" if self._is_own(top) else "that is installed"
            return f". The {top} {where} has no such module"
        pip = PIP_NAMES.get(top, top)
        words = f". Install with: pip install {pip}"
        if not _is_system(self._interpreter):
            words += f" (for this plugin: {self._interpreter} -m pip install {pip})"
        mine = _near.nearest(top, self._own_modules())
        return f"{words}. Or was {mine} meant, which is in the plugin's folder?" if mine else words

    def _is_own(self, module: str) -> bool:
        try:
            import importlib.util

            spec = importlib.util.find_spec(module)
            places = [spec.origin or "", *(spec.submodule_search_locations or ())]
        except Exception:
            return False
        return any(place.startswith(self._own) for place in places)

    def _own_modules(self) -> List[str]:
        names = []
        for folder in (self._own, os.path.join(self._own, "src")):
            try:
                with os.scandir(folder) as entries:
                    names += [os.path.splitext(e.name)[0] for e in entries
                              if e.name.endswith(".py") or e.is_dir()]
            except OSError:
                pass
        return [name for name in names if name.isidentifier()]

    # --- tracebacks -------------------------------------------------------------------------------

    def _traceback(self, e: BaseException, own: int = OWN_FRAMES_MAX,
                   others: int = OWN_FRAMES_MAX // 2, again: bool = True) -> str:
        """At most so many frames of the plugin and of others. "" when there is nothing to tell that
        the words do not. again: end it as Python does, with the words."""
        try:
            told = traceback.TracebackException(type(e), e, e.__traceback__, limit=-FRAMES_READ,
                                                lookup_lines=False)
            left_out = self._prune(told, set(), own, others)
            if _says_nothing(told):
                return ""
            text = "".join(told.format())
            if not again and told.stack and not isinstance(e, SyntaxError):
                end = "".join(told.format_exception_only())
                text = text[:-len(end)] if text.endswith(end) else text
            text = _printable(text)
        except BaseException:
            return ""
        if left_out:
            text += f"({left_out} more frames left out)\n"
        if len(text) <= TRACEBACK_MAX // 4:
            return text
        data = text.encode("utf-8", "backslashreplace")
        if len(data) <= TRACEBACK_MAX:
            return text
        head, tail = data[:TRACEBACK_MAX // 4], data[-TRACEBACK_MAX * 3 // 4 + 16:]
        return head.decode("utf-8", "ignore") + "\n  ...\n" + tail.decode("utf-8", "ignore")

    def _prune(self, told: Any, seen: set, own: int, others: int) -> int:
        """Leaves the runtime's own frames out, and of a long traceback those of libraries."""
        if told is None or id(told) in seen:
            return 0
        seen.add(id(told))
        frames = [f for f in told.stack if not _is_runtime(f.filename)]
        kept = self._choose(frames, own, others)
        told.stack = traceback.StackSummary.from_list(kept)
        left_out = len(frames) - len(kept)
        for other in (told.__cause__, told.__context__, *(getattr(told, "exceptions", None) or ())):
            left_out += self._prune(other, seen, own, others)
        return left_out

    def _choose(self, frames: List[Any], own_max: int, others_max: int) -> List[Any]:
        """The plugin's first and last ones, and the last ones of others."""
        own = [i for i, f in enumerate(frames) if f.filename.startswith(self._own)]
        others = [i for i, f in enumerate(frames) if not f.filename.startswith(self._own)]
        first = own_max // 2
        keep = set(own if len(own) <= own_max else own[:first] + own[first - own_max:])
        keep.update(others[-others_max:] if others_max else ())
        return [f for i, f in enumerate(frames) if i in keep]


# --- parts ----------------------------------------------------------------------------------------


def _str(e: BaseException) -> str:
    try:
        return str(e)
    except BaseException:
        return f"<a {type(e).__name__} that cannot be printed>"


def _type_name(e: BaseException) -> str:
    """The class's name; of a class whose name is private or no ASCII, its first parent's."""
    for cls in type(e).__mro__:
        if _TYPE.fullmatch(cls.__name__):
            return cls.__name__
    return "Exception"


def _cancelled_in(e: Optional[BaseException]) -> Optional[Cancelled]:
    """Also when somebody has made another exception of it on its way out."""
    for _ in range(10):
        if e is None or isinstance(e, Cancelled):
            break
        e = e.__cause__ or e.__context__
    return e if isinstance(e, Cancelled) else None


def _is_runtime(filename: str) -> bool:
    return filename.startswith(_LIBDIR) or filename.startswith("<frozen importlib")


def _says_nothing(told: Any) -> bool:
    """No frame, no line of source, no other exception: only the class and the words again."""
    return not (told.stack or told.__cause__ or (told.__context__ and not told.__suppress_context__)
                or getattr(told, "exceptions", None) or getattr(told, "lineno", None))


def _is_there(module: str) -> bool:
    try:
        import importlib.util

        return module in sys.modules or importlib.util.find_spec(module) is not None
    except Exception:
        return False


def _is_system(interpreter: str) -> bool:
    folder, name = os.path.split(interpreter)
    known = re.fullmatch(r"(python3?[0-9.]*)?", name) is not None
    return known and folder in ("", "/usr/bin", "/bin")


def _printable(text: str) -> str:
    return text.translate(_CONTROLS)


def _bounded(text: str) -> str:
    text = _printable(text[:WORDS_MAX + 1])
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= WORDS_MAX:
        return text
    return data[:WORDS_MAX - 3].decode("utf-8", "ignore") + "…"
