-- BD is set, but what the SMI saved is not in the dump: it may have been set before
INSERT INTO cpu(machine_id, sample_id, cpu, smm) VALUES (1, 0, 0, 1);
INSERT INTO dbgreg(machine_id, sample_id, cpu, name, value) VALUES
 (1, 0, 0, 'dr6', 4294914032), (1, 0, 0, 'dr7', 1024);
