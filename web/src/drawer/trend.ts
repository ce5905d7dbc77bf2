/** Straight line through a part of a series, and how well its slope is known. */

const YEAR = 365.25 * 86400; // seconds

export interface Trend {
  rate: number; // a year
  sigma: number; // one standard deviation of the rate
  count: number;
  at: (time: number) => number; // of the line, without the season
}

/**
 * Least squares of a line, and of a yearly season where the part is a year or longer. Sigma comes from the residuals, and is
 * enlarged by what they share with those before them: (1 + r) / (1 − r) for a correlation r of neighbours (Bartlett, 1935), which
 * is found too low where p numbers are fitted to n values, by about p (1 + r) / n. Times in seconds; null if there are too few values.
 */
export function trend(times: number[], values: (number | null | undefined)[], from: number, to: number): Trend | null {
  const used = times.map((_, i) => i).filter((i) => times[i] >= from && times[i] <= to && Number.isFinite(values[i] ?? Number.NaN));
  if (used.length < 5) return null;
  const years = used.map((i) => (times[i] - times[used[0]]) / YEAR);
  const length = years[years.length - 1];
  const middle = years.reduce((sum, y) => sum + y, 0) / years.length;
  const season = length >= 1 && used.length >= 8;
  const rows = years.map((y) => (season ? [1, y - middle, Math.cos(2 * Math.PI * y), Math.sin(2 * Math.PI * y)] : [1, y - middle]));
  const seen = used.map((i) => values[i] as number);
  const inverse = inverted(rows[0].map((_, a) => rows[0].map((__, b) => rows.reduce((sum, row) => sum + row[a] * row[b], 0))));
  if (!inverse) return null;
  const right = rows[0].map((_, a) => rows.reduce((sum, row, k) => sum + row[a] * seen[k], 0));
  const found = inverse.map((row) => row.reduce((sum, v, k) => sum + v * right[k], 0));
  const rest = rows.map((row, k) => seen[k] - row.reduce((sum, v, a) => sum + v * found[a], 0));
  const square = rest.reduce((sum, v) => sum + v * v, 0);
  const beside = rest.slice(1).reduce((sum, v, k) => sum + v * rest[k], 0) / (square || 1);
  const n = rest.length;
  const shared = Math.max(0, Math.min(0.9, beside + (found.length * (1 + beside)) / n));
  const sigma = Math.sqrt(((square / (n - found.length)) * inverse[1][1] * (1 + shared)) / (1 - shared));
  return { rate: found[1], sigma, count: n, at: (time) => found[0] + found[1] * ((time - times[used[0]]) / YEAR - middle) };
}

/** Of a small symmetric matrix, by Gauss and Jordan; null if it is singular. */
function inverted(matrix: number[][]): number[][] | null {
  const n = matrix.length;
  const work = matrix.map((row, i) => [...row, ...row.map((_, j) => (i === j ? 1 : 0))]);
  for (let i = 0; i < n; i++) {
    const best = work.slice(i).reduce((top, row, k) => (Math.abs(row[i]) > Math.abs(work[top][i]) ? i + k : top), i);
    [work[i], work[best]] = [work[best], work[i]];
    if (Math.abs(work[i][i]) < 1e-12) return null;
    work[i] = work[i].map((v) => v / work[i][i]);
    for (let k = 0; k < n; k++) if (k !== i) work[k] = work[k].map((v, j) => v - work[k][i] * work[i][j]);
  }
  return work.map((row) => row.slice(n));
}
