-- what is not present has no reserved bits; a 1 GiB page is another rule's
INSERT INTO pt_entry(machine_id, sample_id, cpu, what, nr, linear, tbl, idx, addr, entry, verdict, why) VALUES
 (1, 0, 0, 'rip', 0, 4096, 'pml4', 0, 8192, 12323, 'ok', NULL),
 (1, 0, 0, 'cr2', 0, 2097152, 'pd', 1, 16392, 8192, 'not present', NULL),
 (1, 0, 0, 'cr2', 1, 2097152, 'page', NULL, NULL, NULL, 'not present', NULL);
INSERT INTO pt_refused(machine_id, sample_id, cpu, linear, tbl, idx, addr, entry, no_gbpages, why) VALUES
 (1, 0, 0, 0, 'pdpt', 0, 12288, 163, 1, 'bit 7');
