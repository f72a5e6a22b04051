//! Reads a bundle: its directory and its `config.json`. To come.
