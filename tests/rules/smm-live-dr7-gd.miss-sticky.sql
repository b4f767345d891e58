-- BD was set before the SMI: nobody cleared it
INSERT INTO cpu(machine_id, sample_id, cpu, smm) VALUES (1, 0, 0, 1);
INSERT INTO dbgreg(machine_id, sample_id, cpu, name, value, text) VALUES
 (1, 0, 0, 'dr6', 4294914032, 'BD'), (1, 0, 0, 'dr7', 1024, NULL);
INSERT INTO smm_save(machine_id, sample_id, cpu, name, addr, value) VALUES
 (1, 0, 0, 'dr6', 262000, 4294914032);
