from tests.samples.conftest import image, scene

__all__ = ["image", "scene"]
