-- no LAPIC page of CPU 1 and 2
INSERT INTO cpu(machine_id, sample_id, cpu, mp_state, halted, intr_flag, smm, exit_reason, apic_id) VALUES
 (1, 0, 0, 0, 0, 1, 0, 10, 0),
 (1, 0, 1, 0, 0, 1, 0, 10, NULL),
 (1, 0, 2, 0, 0, 1, 0, 10, NULL);
