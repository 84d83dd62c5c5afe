#![no_main]
selvedge_fuzz::fuzz!(files);
