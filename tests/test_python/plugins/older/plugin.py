"""The older shape: metadata() and analyze(). As many were written, its metadata() does not work."""
import logging
from typing import TYPE_CHECKING, Any, Optional

from app.models import AnalysisResult

if TYPE_CHECKING:
    from app.models import PluginMetadata

logger = logging.getLogger(__name__)


class Plugin:
    name = "older"
    version = "1.0.0"

    def metadata(self) -> "PluginMetadata":
        return PluginMetadata(name=self.name, description="Counts bytes.")  # noqa: F821

    def analyze(self, image_bytes: bytes, options: Optional[dict] = None) -> "AnalysisResult":
        options = options or {}
        return AnalysisResult(text=f"{len(image_bytes)} {sorted(options.items())}", blocks=[],
                              confidence=options.get("confidence", 1), extra={"ignored": 1})

    def on_load(self) -> Any:
        logger.info("loaded")

    def on_unload(self) -> None:
        logger.info("unloaded")
