'use strict';
// What would have been billed: one entry for each request for which the model ran. Append only
// until reset.

class Ledger {
  constructor() {
    this.clear();
  }

  clear() {
    this.entries = [];
    this.realtime = 0;
  }

  // batch_id null = a realtime call, counted apart.
  bill(entry) {
    if (entry.batch_id === null) this.realtime++;
    else this.entries.push({ ...entry, billed: true });
  }

  ofBatch(batchId) {
    return batchId ? this.entries.filter((e) => e.batch_id === batchId) : this.entries;
  }

  summary() {
    const byContent = tally(this.entries, 'content_sha256');
    return {
      billed_requests: this.entries.length,
      realtime_requests: this.realtime,
      prompt_tokens: sum(this.entries, 'prompt_tokens'),
      cached_tokens: sum(this.entries, 'cached_tokens'),
      cache_write_tokens: sum(this.entries, 'cache_write_tokens'),
      completion_tokens: sum(this.entries, 'completion_tokens'),
      by_custom_id: tally(this.entries, 'custom_id'),
      by_content: byContent,
      content_billed_again: Object.values(byContent).filter((n) => n > 1).length,
    };
  }
}

function tally(entries, key) {
  const counts = {};
  for (const e of entries) counts[e[key]] = (counts[e[key]] || 0) + 1;
  return counts;
}

const sum = (entries, key) => entries.reduce((total, e) => total + (e[key] || 0), 0);

module.exports = { Ledger };
