-- article 002: 1 GiB at 0, and KVM could not emulate
INSERT INTO pt_refused(machine_id, sample_id, cpu, linear, tbl, idx, addr, entry, no_gbpages, why) VALUES
 (1, 0, 0, 0, 'pdpt', 0, 12484608, 163, 1, 'bit 7');
INSERT INTO cpu(machine_id, sample_id, cpu, exit_reason) VALUES
 (1, 0, 0, 17);
