#![no_main]
selvedge_fuzz::fuzz!(client);
