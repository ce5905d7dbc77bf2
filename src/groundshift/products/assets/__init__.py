"""What points say of roads, railways, bridges, buildings and dams: motion, distortion, changes, and whom to warn."""

from groundshift.products.assets.assess import assess_assets, assess_files, assess_from_files, write_assessment
from groundshift.products.assets.config import AssetConfig
from groundshift.products.assets.record import Assessment

__all__ = ["Assessment", "AssetConfig", "assess_assets", "assess_files", "assess_from_files", "write_assessment"]
