"""app.models -- what the ForgeSyte server's plugins return and describe themselves with.

Knows: the fields.   May not know: hosts.

Pydantic models where the plugin's interpreter has pydantic (1 or 2), so that plugins may build on
them; a stand-in with the same fields, defaults, checks and methods where it has not.
"""
from typing import Any, Dict, List, Optional

try:
    from pydantic import BaseModel, Field
except ImportError:
    from forgesyte._model import BaseModel, Field

__all__ = ["AnalysisResult", "PluginMetadata"]


class AnalysisResult(BaseModel):
    """What analyze() returns. confidence is from 0 to 1."""

    text: str = Field(...)
    blocks: List[Dict[str, Any]] = Field(default_factory=list)
    confidence: float = Field(..., ge=0.0, le=1.0)
    language: Optional[str] = Field(default=None)
    error: Optional[str] = Field(default=None)


class PluginMetadata(BaseModel):
    """What metadata() returns; name and description must say something."""

    name: str = Field(..., min_length=1)
    description: str = Field(..., min_length=1)
    version: str = Field(default="1.0.0")
    inputs: List[str] = Field(default_factory=lambda: ["image"])
    outputs: List[str] = Field(default_factory=lambda: ["json"])
    permissions: List[str] = Field(default_factory=list)
    config_schema: Optional[Dict[str, Any]] = Field(default=None)

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        for field in ("name", "description"):
            if not getattr(self, field).strip():
                raise ValueError(f"{field} must be a non-empty string")
