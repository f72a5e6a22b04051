//! What a mode admits. To come.
