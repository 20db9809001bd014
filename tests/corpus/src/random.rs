//! As many certificates as one wants, good and bad, for programs that are to agree about them. The same seed gives the same ones.
