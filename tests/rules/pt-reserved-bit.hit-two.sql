-- two entries of one CPU: a sentence is about one of them
INSERT INTO pt_entry(machine_id, sample_id, cpu, what, nr, linear, tbl, idx, addr, entry, verdict, why) VALUES
 (1, 0, 0, 'rsp', 2, 4096, 'pt', 1, 8200, 4503599627374627, 'reserved bit set', 'bit 52'),
 (1, 0, 0, 'rsp', 3, 4096, 'page', NULL, NULL, NULL, 'reserved bit set', NULL),
 (1, 0, 0, 'cr2', 1, 2097152, 'pd', 1, 16392, 2105475, 'reserved bit set', 'bit 13'),
 (1, 0, 0, 'cr2', 2, 2097152, 'page', NULL, NULL, NULL, 'reserved bit set', NULL);
INSERT INTO pt_refused(machine_id, sample_id, cpu, linear, tbl, idx, addr, entry, no_gbpages, why) VALUES
 (1, 0, 0, 0, 'pml4', 0, 20480, 4259, 0, 'bit 7'),
 (1, 0, 0, 1073741824, 'pdpt', 1, 24584, 4503599627374627, 0, 'bit 52');
CREATE TRIGGER mixed BEFORE INSERT ON finding
WHEN NEW.detail NOT IN (
 'of cpu 0 the walk to its stack ends at the pt entry 0x10000000001023 at 0x2008: bit 52',
 'of cpu 0 the walk to the address of its last page fault ends at the pd entry 0x202083 at 0x4008: bit 13',
 'in the tables of cpu 0 2 entries have a reserved bit set, the first is the pml4 entry 0x10a3 at 0x5000: bit 7')
BEGIN SELECT RAISE(ABORT, 'a finding that mixes two entries'); END;
