"""_model.py -- as much of pydantic as app.models needs, for interpreters without it.

Knows: annotations of plain types.   May not know: plugins, hosts.   Threads: any.

Fields are the annotations of the class and its parents. Values are checked when an instance is
made; unknown ones are ignored. A subclass may add fields. An annotation may name what is made later,
the class itself for one: it is looked up again when a value comes, and takes any while it is unknown.
"""
import collections.abc
import datetime
import enum
import json
import sys
import typing
from typing import Any, Callable, Dict, List, Optional

_MISSING: Any = object()


class ValidationError(ValueError):
    """All that is wrong with the values of one instance, a line each."""


class _Field:
    def __init__(self, default: Any, default_factory: Optional[Callable[[], Any]], ge: Any, le: Any,
                 min_length: Any) -> None:
        self.default = _MISSING if default is ... else default
        self.default_factory = default_factory
        self.ge, self.le, self.min_length = ge, le, min_length


def Field(default: Any = ..., *, default_factory: Optional[Callable[[], Any]] = None,
          description: str = "", ge: Any = None, le: Any = None, min_length: Any = None) -> Any:
    return _Field(default, default_factory, ge, le, min_length)


class BaseModel:
    _fields: Dict[str, _Field] = {}
    _types: Dict[str, Any] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._fields, cls._types = dict(cls._fields), dict(cls._types)
        for name, annotation in _own_annotations(cls).items():
            if name.startswith("_"):
                continue
            given = vars(cls).get(name, _MISSING)
            field = given if isinstance(given, _Field) else _Field(given, None, None, None, None)
            cls._fields[name] = field
            if field is given:
                delattr(cls, name)
            cls._types[name] = _read(_Unread(annotation, cls))

    def __init__(self, **values: Any) -> None:
        wrong: List[str] = []
        for name, field in self._fields.items():
            try:
                setattr(self, name, self._value(name, field, values))
            except ValueError as e:
                wrong.append(f"{name}: {e}")
        if wrong:
            raise ValidationError(f"{type(self).__name__}: " + "; ".join(wrong))

    def _value(self, name: str, field: _Field, values: Dict[str, Any]) -> Any:
        if name not in values:
            if field.default_factory is not None:
                return field.default_factory()
            if field.default is _MISSING:
                raise ValueError("this field is required")
            return field.default
        value = _checked(values[name], self._type(name))
        if field.ge is not None and value is not None and value < field.ge:
            raise ValueError(f"{value} is less than {field.ge}")
        if field.le is not None and value is not None and value > field.le:
            raise ValueError(f"{value} is more than {field.le}")
        if field.min_length is not None and len(value) < field.min_length:
            raise ValueError(f"it has fewer than {field.min_length} characters")
        return value

    @classmethod
    def _type(cls, name: str) -> Any:
        """The field's type; Any as long as nobody knows a name in it."""
        cls._types[name] = known = _read(cls._types[name])
        return Any if isinstance(known, _Unread) else known

    def model_dump(self, **_: Any) -> Dict[str, Any]:
        return {name: _dumped(getattr(self, name)) for name in self._fields}

    def dict(self, **_: Any) -> Dict[str, Any]:
        return self.model_dump()

    def model_dump_json(self, **_: Any) -> str:
        return json.dumps(self.model_dump(), default=str)

    json = model_dump_json

    def __eq__(self, other: Any) -> bool:
        return type(other) is type(self) and other.model_dump() == self.model_dump()

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._fields)
        return f"{type(self).__name__}({fields})"


def _own_annotations(cls: type) -> Dict[str, Any]:
    if sys.version_info >= (3, 14):  # a class makes them when asked, if it knows the names by then
        import annotationlib
        return annotationlib.get_annotations(cls, format=annotationlib.Format.FORWARDREF)
    return vars(cls).get("__annotations__", {})  # before 3.10 asking the class gives its parent's


class _Unread:
    """An annotation with a name that nobody knows yet, and the class that it stands in."""

    def __init__(self, annotation: Any, owner: type) -> None:
        self.annotation, self.owner = annotation, owner


def _read(known: Any) -> Any:
    """The type that an annotation means, or the _Unread as it was. What is read stays as it is."""
    if not isinstance(known, _Unread):
        return known
    owner = known.owner
    module = sys.modules.get(owner.__module__)
    names = {**vars(owner), **(vars(module) if module else {}), owner.__name__: owner}
    holder = type(owner.__name__, (), {"__annotations__": {"field": known.annotation},
                                       "__module__": owner.__module__})
    try:
        return typing.get_type_hints(holder, names, names)["field"]
    except (NameError, AttributeError):
        return known


def _dumped(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump()
    if isinstance(value, list):
        return [_dumped(item) for item in value]
    if isinstance(value, dict):
        return {key: _dumped(item) for key, item in value.items()}
    return value


def _checked(value: Any, wanted: Any) -> Any:
    """The value as the type has it. Types that are not known here take anything."""
    origin, args = typing.get_origin(wanted), typing.get_args(wanted)
    if origin is typing.Union:
        return None if value is None else _checked(value, args[0])
    if origin is list and isinstance(value, (list, tuple)):
        return [_checked(item, args[0]) for item in value] if args else list(value)
    if origin is dict and isinstance(value, collections.abc.Mapping):
        return dict(value)
    if wanted in (list, dict) and isinstance(value, wanted):
        return value
    if wanted is str and isinstance(value, str):
        return value
    if wanted is float:
        return _number(value)
    if isinstance(wanted, type) and issubclass(wanted, enum.Enum):
        return wanted(value)
    if wanted in (str, list, dict) or origin in (list, dict):
        kind = (origin or wanted).__name__
        raise ValueError(f"a {type(value).__name__} is not a {kind}")
    if wanted is datetime.datetime and not isinstance(value, datetime.datetime):
        return datetime.datetime.fromisoformat(value)
    return value


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"a {type(value).__name__} is not a number") from None
