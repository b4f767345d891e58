-- a comment that says FROM a, b
SELECT a.id AS key, machine_id, 'x, FROM y' AS subject, '' AS detail
  FROM a JOIN b USING(machine_id, id)
  LEFT JOIN (SELECT machine_id, max(id) AS id FROM c GROUP BY machine_id) m
    ON m.machine_id = a.machine_id AND m.id = b.id
 WHERE EXISTS (SELECT 1 FROM d WHERE d.machine_id = a.machine_id AND d.id = a.id);
WITH x AS (SELECT machine_id, id FROM a)
SELECT id AS key, machine_id, 'a' AS tbl, 1 AS row, 'b' AS text FROM x
UNION ALL SELECT id, machine_id, 'b', 1, 'c' FROM b;
