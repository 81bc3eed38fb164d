"""The main job on real OMOP data, end to end, on one machine."""
