"""As plugins of the ForgeSyte server are: tools on the class, handlers by name, short schemas, a
run_tool of its own, video tools with a progress_callback."""
import base64
from typing import Any, Callable, Dict, Optional

try:
    from app.models import AnalysisResult, PluginMetadata
    from app.plugins.base import BasePlugin
except ImportError:
    raise SystemExit("plugins fall back to something else here: that must not be needed")


class Plugin(BasePlugin):
    name: str = "tracker"
    version: str = "0.2.0"

    tools: Dict[str, Any] = {
        "detect": {
            "description": "Detect players in a frame",
            "inputs": {"frame_base64": {"type": "string"},
                       "device": {"type": "string", "default": "cpu"},
                       "annotated": {"type": "boolean", "default": False}},
            "outputs": {"result": {"type": "object"}},
            "handler": "detect",
        },
        "track_video": {
            "description": "Track players in a video",
            "input_schema": {"video_path": {"type": "string"}, "device": "string?"},
            "output_schema": {"frames": {"type": "array"}},
            "handler": "track_video",
        },
    }

    def run_tool(self, tool_name: str, args: dict):
        if tool_name not in self.tools:
            raise ValueError(f"Unknown tool: {tool_name}")
        if tool_name == "track_video":
            return self.track_video(**args)
        return self.detect(frame_base64=args.get("frame_base64"), device=args.get("device", "cpu"))

    def metadata(self) -> PluginMetadata:
        return PluginMetadata(name=self.name, description="Tracks.", version=self.version)

    def detect(self, frame_base64: str, device: str = "cpu", annotated: bool = False):
        return {"size": len(base64.b64decode(frame_base64)), "device": device}

    def track_video(self, video_path: str, device: str = "cpu",
                    progress_callback: Optional[Callable[[int, int], None]] = None):
        with open(video_path, "rb") as f:
            size = len(f.read())
        if progress_callback:
            progress_callback(1, 2)
        return {"frames": [size], "device": device}

    def analyze(self, image_data: bytes, options=None) -> AnalysisResult:
        return AnalysisResult(text="", confidence=1.0)
