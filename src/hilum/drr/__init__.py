"""CT to X-ray: attenuation, geometry, projectors."""
