-- on the way to the last page fault; and another entry of the tables
INSERT INTO pt_entry(machine_id, sample_id, cpu, what, nr, linear, tbl, idx, addr, entry, verdict, why) VALUES
 (1, 0, 0, 'rip', 0, 4096, 'pml4', 0, 8192, 12323, 'ok', NULL),
 (1, 0, 0, 'cr2', 0, 2097152, 'pml4', 0, 8192, 12323, 'ok', NULL),
 (1, 0, 0, 'cr2', 1, 2097152, 'pd', 1, 16392, 2105475, 'reserved bit set', 'bit 13'),
 (1, 0, 0, 'cr2', 2, 2097152, 'page', NULL, NULL, NULL, 'reserved bit set', NULL);
INSERT INTO pt_refused(machine_id, sample_id, cpu, linear, tbl, idx, addr, entry, no_gbpages, why) VALUES
 (1, 0, 1, 1073741824, 'pdpt', 1, 12296, 4503599627374627, 0, 'bit 52');
