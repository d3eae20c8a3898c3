//! What is asked of a cluster beside reading and writing.
