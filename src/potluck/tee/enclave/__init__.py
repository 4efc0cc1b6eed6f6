"""What runs inside the enclave: keys of one boot, one sum at a time, and nothing that the host could ask beside."""
