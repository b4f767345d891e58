-- both enabled; nothing was ever sent
INSERT INTO cpu(machine_id, sample_id, cpu, mp_state, halted, intr_flag, smm, exit_reason, apic_id) VALUES
 (1, 0, 0, 0, 0, 1, 0, 10, 0),
 (1, 0, 1, 0, 0, 1, 0, 10, 1);
INSERT INTO lapic_reg(machine_id, sample_id, cpu, off, name, value, text) VALUES
 (1, 0, 0, 240, 'svr', 511, NULL),
 (1, 0, 1, 240, 'svr', 511, NULL),
 (1, 0, 1, 768, 'icr_low', 240, NULL),
 (1, 0, 1, 784, 'icr_high', 0, NULL);
