-- id:         smm-live-dr7-gd
-- severity:   error
-- confidence: strong
-- needs:      cpu dbgreg smm_save
-- uses:       loop
-- title:      General detect is at work in SMM
-- why:        With DR7.GD set any MOV to or from a debug register is a #DB; DR6.BD says that one was taken, and taking it clears GD.
-- fix:        Look for the MOV DR that faulted (inquest show insns), and for the value that the handler loaded into DR7 (inquest show smm-save).
-- source:     SDM vol. 3, 17.2.3 (BD) and 17.2.4 (GD)
-- proof:      scenario smm-dr7gd-l1
SELECT c.sample_id || '.' || c.cpu AS key,
       c.machine_id,
       'cpu ' || c.cpu AS subject,
       'cpu ' || c.cpu || ' in SMM '
       || CASE WHEN d7.value >> 13 & 1 = 1
               THEN 'has DR7 ' || hex64(d7.value) || ': its next MOV DR is a #DB'
               ELSE 'took a #DB of a MOV DR: DR6 ' || hex64(d6.value) || ' has BD'
                    || coalesce(', the saved ' || hex64(s.value) || ' has not', '') END
       || CASE WHEN l.kind IS NULL THEN ''
               ELSE '; what runs now is a loop that does not end by itself' END AS detail,
       CASE WHEN d6.value >> 13 & 1 = 1 AND l.kind IS NOT NULL THEN 'fatal' ELSE 'error' END
       AS severity
  FROM cpu c
  LEFT JOIN dbgreg d6 ON d6.machine_id = c.machine_id AND d6.sample_id = c.sample_id
                     AND d6.cpu = c.cpu AND d6.name = 'dr6'
  LEFT JOIN dbgreg d7 ON d7.machine_id = c.machine_id AND d7.sample_id = c.sample_id
                     AND d7.cpu = c.cpu AND d7.name = 'dr7'
  LEFT JOIN smm_save s ON s.machine_id = c.machine_id AND s.sample_id = c.sample_id
                      AND s.cpu = c.cpu AND s.name = 'dr6'
  LEFT JOIN loop l ON l.machine_id = c.machine_id AND l.sample_id = c.sample_id
                  AND l.cpu = c.cpu AND l.kind IN ('closed', 'polling')
 WHERE c.smm = 1
   AND (d7.value >> 13 & 1 = 1
        -- BD is sticky: it counts where what was saved at the SMI had none
        OR (d6.value >> 13 & 1 = 1 AND s.value >> 13 & 1 = 0));

SELECT d.sample_id || '.' || d.cpu AS key,
       d.machine_id,
       'dbgreg' AS tbl,
       d.rowid AS row,
       d.name || ' = ' || hex64(d.value) || coalesce(': ' || d.text, '') AS text
  FROM dbgreg d
 WHERE d.name IN ('dr6', 'dr7')
UNION ALL
SELECT sample_id || '.' || cpu,
       machine_id,
       'smm_save',
       rowid,
       'saved ' || name || ' = ' || hex64(value) || ' at ' || hex64(addr)
       || coalesce(': ' || text, '')
  FROM smm_save
 WHERE name IN ('dr6', 'dr7');

SELECT c.machine_id,
       'dbgreg' AS tbl,
       'the debug registers are unknown, or those that the SMI saved, or whether it is in SMM, of '
       || count(*)
       || iif(count(*) = 1, ' CPU', ' CPUs') AS message
  FROM cpu c
 WHERE c.smm IS NULL
    -- BD alone says nothing without what was saved
    OR (c.smm = 1
        AND EXISTS (SELECT 1 FROM dbgreg d
                     WHERE d.machine_id = c.machine_id AND d.sample_id = c.sample_id
                       AND d.cpu = c.cpu AND d.name = 'dr6' AND d.value >> 13 & 1 = 1)
        AND NOT EXISTS (SELECT 1 FROM dbgreg d
                         WHERE d.machine_id = c.machine_id AND d.sample_id = c.sample_id
                           AND d.cpu = c.cpu AND d.name = 'dr7' AND d.value >> 13 & 1 = 1)
        AND NOT EXISTS (SELECT 1 FROM smm_save s
                         WHERE s.machine_id = c.machine_id AND s.sample_id = c.sample_id
                           AND s.cpu = c.cpu AND s.name = 'dr6' AND s.value IS NOT NULL))
    OR (c.smm = 1 AND 0 < (SELECT count(*) FROM dbgreg d
                            WHERE d.machine_id = c.machine_id AND d.sample_id = c.sample_id
                              AND d.cpu = c.cpu AND d.name IN ('dr6', 'dr7')
                              AND d.value IS NULL))
 GROUP BY c.machine_id;
