-- Linux has not started CPU 1
INSERT INTO cpu(machine_id, sample_id, cpu, mp_state, halted, intr_flag, smm, exit_reason, apic_id) VALUES
 (1, 0, 0, 0, 0, 1, 0, 10, 0),
 (1, 0, 1, 0, 0, 1, 0, 10, 1);
INSERT INTO lapic_reg(machine_id, sample_id, cpu, off, name, value, text) VALUES
 (1, 0, 0, 240, 'svr', 511, NULL),
 (1, 0, 1, 240, 'svr', 255, NULL),
 (1, 0, 0, 768, 'icr_low', 240, NULL),
 (1, 0, 0, 784, 'icr_high', 16777216, NULL);
INSERT INTO cpu_os(machine_id, sample_id, cpu, online) VALUES
 (1, 0, 0, 1),
 (1, 0, 1, 0);
