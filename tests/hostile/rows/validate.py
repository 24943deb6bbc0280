"""The rows V01 to V06: what a plugin says of itself, asks for, and claims to be."""
from row import native, python, row
from rows.load import GOOD, going_wrong

VALID = "class Plugin:\n    tools = {'good': lambda: 1}\n"


@row("V01", "metadata is no JSON; a tool's name is ../x, has control bytes, 4 KB, or is empty",
     "ProtocolError or ValidationError; nothing on disk has that name", GOOD)
def v01(t):
    t.load_fails(going_wrong("constructor", "forge"), ("ProtocolError", "ValidationError"),
                 "stage=load|JSON")
    for name in ("../x", "control", "long", ""):
        t.load_fails(native("load", env={"TOOL_NAME": name}), "ValidationError", "name")


@row("V03", "two plugins claim one name", "the second is FAILED, the first goes on serving",
     GOOD, own=True, beside={"v03-second": native("load")})
def v03(t):
    t.stage.write("v03-second", native("load", name="v03"))
    t.lost.add("v03-second")
    answer = t.host.post("/v1/plugins/reload-all")
    t.stage.place_in_scratch()  # the neighbour has a new box, too
    t.equal(answer.status, 200)
    mine = {p["name"]: p for p in answer.json["plugins"]}
    t.equal(mine["v03"]["state"], "INITIALIZED", "the first")
    second = [p for p in mine.values() if p["state"] == "FAILED" and "taken" in (p["reason"] or "")]
    t.equal(len(second), 1, f"plugins that say that the name is taken, of {sorted(mine)}")
    t.equal(second[0]["last_failure"]["error_type"], "ValidationError")
    t.kept()


@row("V04", "declares a timeout of 1e9 s, 1 TB of memory, -1",
     "lowered to the operator's maximum, and logged; -1 is a ManifestError", GOOD, own=True,
     args=("--max-timeout", "30", "--max-memory", "256M"))
def v04(t):
    health = t.reload(native("load", limits={"timeout_seconds": 1000000000, "memory_mb": 1048576}))
    t.equal(health["state"], "INITIALIZED", health["reason"])
    t.equal(health["limits"], {"timeout_seconds": 30.0, "memory_bytes": 256 << 20})
    t.has(t.host.stderr(), "timeout_seconds 1000000000 lowered to 30", "memory")
    t.kept()
    for limits in ({"timeout_seconds": -1}, {"memory_mb": -1}, {"timeout_seconds": 1e300}):
        t.load_fails(native("load", limits=limits), "ManifestError", "limits")


@row("V05", "requires a GPU where there is none", "UNAVAILABLE, with the words of the contract", GOOD)
def v05(t):
    health = t.reload(native("load", requires_gpu=True))
    t.equal(health["state"], "UNAVAILABLE", health["reason"])
    t.has(health["reason"], "CUDA GPU not available", "nvidia-smi")
    t.answers(t.call("good"), 503, "PluginUnavailable", "GPU")


@row("V06", "the self-test fails, or returns something else than it may", "ValidationError; not ready",
     GOOD)
def v06(t):
    t.load_fails(going_wrong("validate", "flux"), "ValidationError", "the validate is off by 7")
    t.load_fails(going_wrong("validate", "null"), "PluginCrashed", "stage=validate", signal=11)
    for said in ("False", "'no'", "[1]", "3.5"):
        t.load_fails(python(VALID + f"    def validate(self):\n        return {said}\n"),
                     "ValidationError", "validate")
