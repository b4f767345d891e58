-- a dump without CPUID
INSERT INTO pt_refused(machine_id, sample_id, cpu, linear, tbl, idx, addr, entry, no_gbpages) VALUES
 (1, 0, 0, 0, 'pdpt', 0, 12484608, 163, NULL);
