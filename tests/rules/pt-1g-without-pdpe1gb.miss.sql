-- an entry with another fault; pages of 2 MiB
INSERT INTO pt_refused(machine_id, sample_id, cpu, linear, tbl, idx, addr, entry, no_gbpages, why) VALUES
 (1, 0, 0, 0, 'pdpt', 0, 12484608, 4503599627370531, 0, 'bit 52');
INSERT INTO cpu(machine_id, sample_id, cpu, exit_reason) VALUES
 (1, 0, 0, 10);
