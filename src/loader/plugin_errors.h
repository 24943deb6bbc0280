/* plugin_errors.h -- every error type of the API, once: name, HTTP status, what becomes of the
 * plugin; and the texts of the diagrams' section 8.
 * Knows: names and words.  May not know: sockets, processes.
 * Threads: any.            Owns: nothing. */
#ifndef FORGESYTE_LOADER_PLUGIN_ERRORS_H
#define FORGESYTE_LOADER_PLUGIN_ERRORS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/str.h"

/* X(id, JSON name, HTTP status, fails the plugin, meaning). DECLARED and EXCEPTION carry the
 * plugin's own name for the error in place of the one here. */
#define PLUGIN_ERRORS(X)                                                                           \
        X(BAD_REQUEST, "BadRequest", 400, false, "malformed JSON, multipart or query")             \
        X(UNAUTHORIZED, "Unauthorized", 401, false, "the bearer token is missing or wrong")        \
        X(FORBIDDEN, "Forbidden", 403, false, "a foreign page asked")                              \
        X(NOT_FOUND, "NotFound", 404, false, "no such route")                                      \
        X(PLUGIN_NOT_FOUND, "PluginNotFound", 404, false, "no such plugin")                        \
        X(TOOL_NOT_FOUND, "ToolNotFound", 404, false, "the plugin has no such tool")               \
        X(METHOD_NOT_ALLOWED, "MethodNotAllowed", 405, false, "see Allow")                         \
        X(REQUEST_TIMEOUT, "RequestTimeout", 408, false, "the request did not arrive in time")     \
        X(PAYLOAD_TOO_LARGE, "PayloadTooLarge", 413, false, "the body is over the limit")          \
        X(URI_TOO_LONG, "UriTooLong", 414, false, "the request line is over 8 KiB")                \
        X(UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", 415, false,                              \
          "not a body this tool takes")                                                            \
        X(EXPECTATION_FAILED, "ExpectationFailed", 417, false, "only 100-continue is known")       \
        X(INVALID_ARGUMENTS, "InvalidArguments", 422, false, "refused by the input schema")        \
        X(DECLARED, "ToolError", 422, false, "the plugin declared an error about this call")       \
        X(PLUGIN_BUSY, "PluginBusy", 429, false, "the plugin's queue is full; see Retry-After")    \
        X(HEADERS_TOO_LARGE, "HeadersTooLarge", 431, false, "over 32 KiB, or over 100 headers")    \
        X(CANCELLED, "Cancelled", 499, false, "the client left")                                   \
        X(INTERNAL, "InternalError", 500, false, "the host could not do its part")                 \
        X(NOT_IMPLEMENTED, "NotImplemented", 501, false, "a method or a coding nobody here knows") \
        X(EXCEPTION, "PluginError", 502, true, "the plugin raised an exception")                   \
        X(MEMORY_LIMIT, "MemoryLimitExceeded", 502, true, "killed at its memory limit")            \
        X(CRASHED, "PluginCrashed", 502, true, "its process died")                                 \
        X(INVALID_OUTPUT, "InvalidOutput", 502, true,                                              \
          "the answer is not JSON or not its schema's")                                            \
        X(OUTPUT_TOO_LARGE, "OutputTooLarge", 502, true, "the answer is over the limit")           \
        X(PROTOCOL, "ProtocolError", 502, true, "it broke the rules of the wire")                  \
        X(RESOURCE_LIMIT, "ResourceLimitExceeded", 502, true, "processes, descriptors or disk")    \
        X(SANDBOX_VIOLATION, "SandboxViolation", 502, true, "it tried what its box forbids")       \
        X(SERVER_BUSY, "ServerBusy", 503, false, "as many clients or bytes as there may be")       \
        X(PLUGIN_UNAVAILABLE, "PluginUnavailable", 503, false,                                     \
          "FAILED or UNAVAILABLE: its reason")                                                     \
        X(ISOLATION_UNAVAILABLE, "IsolationUnavailable", 503, false, "the box would be too weak")  \
        X(TIMEOUT, "TimeoutError", 504, true, "the deadline passed")                               \
        X(VERSION_NOT_SUPPORTED, "VersionNotSupported", 505, false, "neither HTTP/1.1 nor 1.0")    \
        X(MANIFEST, "ManifestError", 503, true, "loading: manifest.json")                          \
        X(IMPORT, "ImportError", 503, true, "loading: dlopen or import")                           \
        X(ABI_MISMATCH, "AbiMismatch", 503, true, "loading: built for another ABI")                \
        X(INIT, "InitError", 503, true, "loading: init or Plugin()")                               \
        X(VALIDATION, "ValidationError", 503, true, "loading: validate, or what it says of itself")

enum plugin_error {
        PLUGIN_ERROR_NONE = 0,
#define X(id, name, status, fails, meaning) PLUGIN_ERROR_##id,
        PLUGIN_ERRORS(X)
#undef X
};

const char *plugin_error_name(enum plugin_error e);
/* Is it a name above that goes with another status than a declared error's? A plugin's own error
 * must not pass for one of the host's. */
bool plugin_error_is_reserved(const char *name);
/* Is it the host's own finding, which no exception may pass for, whatever its class is called? */
bool plugin_error_is_finding(const char *name);
unsigned plugin_error_status(enum plugin_error e);
/* Does it make the plugin FAILED (under "on_error": "fail")? */
bool plugin_error_fails_plugin(enum plugin_error e);

/* {"ok":false,"error":...,"error_type":...} as text, with "traceback" when not NULL; words are made
 * printable. type NULL: the table's name. NULL: no memory. */
char *plugin_error_envelope(enum plugin_error e, const char *type, const char *words,
                            const char *traceback, size_t *ret_size);

/* The diagrams' six texts, and what belongs to them; timeout and memory are in sandbox/timeout.h
 * and memory_guard.h. */
void plugin_text_gpu_missing(struct str *s);
void plugin_text_package_missing(struct str *s, const char *package);
/* Of a dotted name whose first part is there. */
void plugin_text_module_missing(struct str *s, const char *module);
/* The distribution that brings the module, at best knowledge: by the first part of a dotted name.
 */
void plugin_text_pip_name(struct str *s, const char *module);
void plugin_text_model_missing(struct str *s, const char *path);
void plugin_text_model_corrupt(struct str *s, const char *path);

#endif
