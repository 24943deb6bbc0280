"""test_schemas.py -- what plugins say about their arguments becomes JSON Schema."""
import inspect
import math
import sys
import typing
import unittest

import fake_host

sys.path.insert(0, fake_host.LIBDIR)
from forgesyte_worker import schemas

BYTES = {"type": "string", "contentEncoding": "base64"}


def of(given, handler=None):
    return schemas.of_input(given, inspect.signature(handler) if handler else None)


class ShortFormTest(unittest.TestCase):
    def test_types_are_understood_and_a_question_mark_is_optional(self):
        self.assertEqual(of({"a": "string", "b": "int?", "c": "float", "d": "bool?", "e": "list",
                             "f": "dict", "g": "any", "h": "bytes", "i": "binary?"}), {
            "type": "object", "required": ["a", "c", "e", "f", "g", "h"], "properties": {
                "a": {"type": "string"}, "b": {"type": "integer"}, "c": {"type": "number"},
                "d": {"type": "boolean"}, "e": {"type": "array"}, "f": {"type": "object"}, "g": {},
                "h": BYTES, "i": BYTES}})

    def test_schemas_of_single_arguments(self):
        self.assertEqual(of({"a": {"type": "integer", "default": 5, "min": 1, "max": 9},
                             "b": {"type": "float"}, "c": {"enum": [1, 2], "required": False}}), {
            "type": "object", "required": ["b"], "properties": {
                "a": {"type": "integer", "default": 5, "minimum": 1, "maximum": 9},
                "b": {"type": "number"}, "c": {"enum": [1, 2]}}})

    def test_what_the_handler_can_do_without_is_optional(self):
        def handler(image_base64, device="cpu"):
            pass

        given = {"image_base64": "string", "device": "string", "psm": "integer"}
        self.assertEqual(of(given, handler)["required"], ["image_base64"])
        self.assertEqual(of(given, lambda **rest: None)["required"], list(given))

    def test_a_list_of_names(self):
        self.assertEqual(of(["image_bytes", "x"]), {
            "type": "object", "required": ["image_bytes", "x"],
            "properties": {"image_bytes": BYTES, "x": {}}})

    def test_an_argument_may_be_called_type(self):
        self.assertEqual(of({"type": "string"})["properties"], {"type": {"type": "string"}})


class JsonSchemaTest(unittest.TestCase):
    def test_a_json_schema_stays_as_it_is(self):
        schema = {"type": "object", "properties": {"a": {"type": "string", "maxLength": 3}},
                  "required": ["a"], "additionalProperties": False}
        self.assertEqual(of(schema), schema)
        self.assertIsNot(of(schema), schema)
        self.assertEqual(of({}), {"type": "object"})
        self.assertEqual(of({"anyOf": [{"required": ["a"]}]}),
                         {"anyOf": [{"required": ["a"]}], "type": "object"})

    def test_bytes_in_every_spelling(self):
        for declared in ({"type": "string", "format": "binary"},
                         {"type": "string", "format": "base64"},
                         {"type": "string", "contentEncoding": "base64", "title": "T"},
                         {"anyOf": [{"type": "string", "format": "binary"}, {"type": "null"}],
                          "default": None}):
            found = of({"type": "object", "properties": {"x": declared}})["properties"]["x"]
            found.pop("title", None)
            self.assertEqual(found, BYTES)
        for name in ("image_bytes", "frame_bytes", "video_path"):
            self.assertEqual(of({name: "string"})["properties"][name], BYTES)
        for declared in ({"type": "string"}, {"type": "integer", "format": "binary"}):
            self.assertEqual(of({"properties": {"x": declared}})["properties"]["x"], declared)

    def test_base64_that_the_plugin_decodes_itself_stays_text(self):
        for name in ("image_base64", "frame_b64"):
            declared = {"type": "string", "format": "base64"}
            self.assertEqual(of({name: declared})["properties"][name], declared)

    def test_paths(self):
        given = {"video_path": "string", "model": {"type": "string", "format": "path"}}
        self.assertEqual(schemas.path_names(given), ["video_path", "model"])
        self.assertEqual(of(given)["properties"]["model"], BYTES)

    def test_what_is_no_schema(self):
        for given in (3, "string", {"a": {"type": {1}}}, {"a": {"default": math.nan}}):
            with self.assertRaises(ValueError):
                of(given)

    def test_short_forms_of_results_bind_nobody(self):
        self.assertIsNone(schemas.of_output({"text": "string", "image": "string?"}))
        self.assertIsNone(schemas.of_output({}))
        self.assertEqual(schemas.of_output({"type": "object"}), {"type": "object"})


class SignatureTest(unittest.TestCase):
    def test_annotations_and_defaults(self):
        def handler(a: str, b: int = 3, c: typing.Optional[float] = None, d: bytes = b"",
                    e: typing.List[int] = (), f=math.inf, *, g: "bool", progress_callback=None):
            pass

        self.assertEqual(of(None, handler), {
            "type": "object", "required": ["a", "g"], "properties": {
                "a": {"type": "string"}, "b": {"type": "integer", "default": 3},
                "c": {"type": ["number", "null"]}, "d": BYTES, "e": {"type": "array"}, "f": {},
                "g": {"type": "boolean"}}, "additionalProperties": False})

    def test_what_a_handler_does_not_take_is_refused_unless_it_takes_all(self):
        self.assertIs(of(None, lambda: None)["additionalProperties"], False)
        for handler in (lambda **rest: None, lambda a, **rest: None, lambda a, /: None,
                        lambda args: None):
            self.assertNotIn("additionalProperties", of(None, handler))

    def test_what_is_wanted_as_a_view(self):
        def handler(a: memoryview, b: bytes, c: "memoryview", d: typing.Optional[memoryview] = None,
                    e: str = "", f: "typing.List[memoryview]" = ()):
            pass

        signature = inspect.signature(handler)
        self.assertEqual(schemas.view_names(None, signature), ["a", "c", "d"])
        self.assertEqual(schemas.bytes_names(of(None, handler)), ["a", "b", "c", "d"])
        declared = {"a": "memoryview", "b": "memoryview?", "c": "bytes", "d": {"type": "memoryview"},
                    "e": {"type": "string", "format": "memoryview"}, "f": 5}
        self.assertEqual(schemas.view_names(declared, None), ["a", "b", "d", "e"])
        self.assertEqual(schemas.bytes_names(of(declared)), ["a", "b", "c", "d", "e"])
        full = {"type": "object", "properties": {"a": {"type": "string", "format": "memoryview"}}}
        self.assertEqual(schemas.view_names(full, None), ["a"])
        schema = of(full)
        schemas.mark_views(schema, ["a", "nobody"])
        self.assertEqual(schema["properties"], {"a": {**BYTES, "format": "memoryview"}})

    def test_an_annotation_and_its_text_mean_the_same(self):
        optional = {"type": ["integer", "null"]}
        meanings = {
            "typing.Optional[bytes]": BYTES, "typing.Union[bytes, None]": BYTES,
            "typing.Union[None, bytearray]": BYTES, "typing.Optional[memoryview]": BYTES,
            "typing.Union[bytes, memoryview]": BYTES, "typing.Annotated[bytes, 'png']": BYTES,
            "typing.Optional[typing.Union[bytes, memoryview]]": BYTES,
            "typing.Optional['bytes']": BYTES, "typing.Annotated[typing.Optional[bytes], 1]": BYTES,
            "typing.Union[bytes, str]": {}, "typing.List[bytes]": {"type": "array"},
            "typing.Optional[int]": optional, "typing.Union[int, None]": optional,
            "typing.Dict[str, typing.Any]": {"type": "object"},
            "typing.Optional[typing.Dict[str, bytes]]": {"type": ["object", "null"]},
            "typing.Tuple[int, ...]": {"type": "array"}, "list[memoryview]": {"type": "array"},
            "typing.Optional[typing.Any]": {}, "typing.Sequence[int]": {}, "None": {}, "math.inf": {}}
        if sys.version_info >= (3, 10):
            meanings.update({"bytes | None": BYTES, "None | memoryview": BYTES, "int | None": optional,
                             "bytes | str | None": {}, "typing.List[int] | None":
                             {"type": ["array", "null"]}})
        for text, meant in meanings.items():
            for annotation in (eval(text), text, f" {text}\n", text.replace("typing.", "")):
                with self.subTest(annotation=annotation):
                    def handler(a=None):
                        pass

                    handler.__annotations__["a"] = annotation
                    self.assertEqual(of(None, handler)["properties"], {"a": meant})
                    views = schemas.view_names(None, inspect.signature(handler))
                    self.assertEqual(views, ["a"] if meant == BYTES and "memoryview" in text else [])

    def test_text_that_is_no_annotation_means_nothing(self):
        for text in ("", "bytes bytes", "Optional[", "bytes if x else str", "x.y().bytes", "3",
                     "Annotated[()]", "Frame", "Optional[Frame]", "lambda: bytes"):
            def handler(a):
                pass

            handler.__annotations__["a"] = text
            self.assertEqual(of(None, handler)["properties"], {"a": {}}, text)

    def test_names_of_bytes(self):
        self.assertEqual(of(None, lambda image_bytes: None)["properties"], {"image_bytes": BYTES})

    def test_one_dict_of_arguments(self):
        def typed(params: typing.Dict[str, typing.Any]):
            pass

        for handler in (lambda args: None, typed):
            self.assertEqual(of(None, handler), {"type": "object"})
        self.assertIsNone(schemas.wants_whole(inspect.signature(lambda text: None)))

    def test_nothing_known(self):
        self.assertEqual(of(None), {"type": "object"})


if __name__ == "__main__":
    unittest.main()
