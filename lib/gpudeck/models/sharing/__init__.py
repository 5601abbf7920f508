"""Sharing: how one GPU serves several tenants, and what each of them really needs."""
