-- the table was not dumped
INSERT INTO pt_entry(machine_id, sample_id, cpu, what, nr, linear, tbl, idx, addr, entry, verdict, why) VALUES
 (1, 0, 0, 'rip', 0, 4096, 'pml4', 0, 8192, NULL, 'not dumped', NULL),
 (1, 0, 0, 'rip', 1, 4096, 'page', NULL, NULL, NULL, 'not dumped', NULL);
