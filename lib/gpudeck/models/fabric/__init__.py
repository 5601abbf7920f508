"""The network of a cluster: links, topologies, and the time of collectives."""
