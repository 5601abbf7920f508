"""Storage: parallel file systems, the paths from drive to GPU, and the input pipeline of training."""
