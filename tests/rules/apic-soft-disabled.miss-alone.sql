-- a machine that uses none
INSERT INTO cpu(machine_id, sample_id, cpu, mp_state, halted, intr_flag, smm, exit_reason, apic_id) VALUES
 (1, 0, 0, 0, 0, 1, 0, 10, 0),
 (1, 0, 1, 0, 0, 1, 0, 10, 1);
INSERT INTO lapic_reg(machine_id, sample_id, cpu, off, name, value) VALUES
 (1, 0, 0, 240, 'svr', 255), (1, 0, 1, 240, 'svr', 255),
 (1, 0, 1, 768, 'icr_low', 0), (1, 0, 1, 784, 'icr_high', 0);
