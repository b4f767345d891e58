-- a processor that takes no clock interrupt
INSERT INTO bugcheck(machine_id, code, name, build, crashed_cpu, hung_cpu, rip, cr3) VALUES
 (1, 257, 'CLOCK_WATCHDOG_TIMEOUT', 19045, 0, 1, -8796093017548, 4096);
INSERT INTO bugcheck_param(machine_id, nr, value, meaning) VALUES
 (1, 1, 16, 'clock interrupt time-out, in nominal clock ticks'), (1, 2, 0, '0'),
 (1, 3, -8796092997632, 'PRCB of the processor that does not respond'), (1, 4, 1, NULL);
INSERT INTO windows_cpu(machine_id, cpu, prcb, has_context, has_special) VALUES
 (1, 0, -8796093001728, 1, 1), (1, 1, -8796092997632, 1, 0);
