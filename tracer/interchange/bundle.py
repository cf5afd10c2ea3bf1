"""Bundles: the one file a run travels in. Writing and reading, as other rooms use them."""

from tracer.interchange.bundle_export import Exported, export_bundle
from tracer.interchange.bundle_import import Imported, import_bundle, read_bundle

__all__ = ["Exported", "Imported", "export_bundle", "import_bundle", "read_bundle"]
