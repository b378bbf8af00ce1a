// Clips on their way: two at a time, the others wait. What is sent is the server's; what is not goes with the page.

import * as api from "./api.js";

const TOGETHER = 2;
let count = 0;

export const uploads = {
  pending: [],
  changed() {},

  /** Send files; those that cannot be taken say so in the list. Promises of the jobs. */
  add(files, most) {
    return [...files].map((file) => {
      const item = { key: `u${(count += 1)}`, file, name: file.name, share: 0, failed: "", going: false };
      item.abort = new AbortController();
      item.sent = new Promise((resolve) => (item.resolve = resolve));
      if (file.size > most) item.failed = "It is larger than what this server takes.";
      this.pending.push(item);
      this.next();
      return item.sent;
    });
  },

  next() {
    const going = this.pending.filter((item) => item.going).length;
    const waiting = this.pending.filter((item) => !item.going && !item.failed);
    for (const item of waiting.slice(0, TOGETHER - going)) this.send(item);
    this.changed();
  },

  async send(item) {
    item.going = true;
    try {
      item.resolve(await api.send(item.file, (share) => (item.share = share), item.abort.signal));
      this.drop(item);
    } catch (error) {
      item.failed = error.message;
    }
    item.going = false;
    this.next();
  },

  drop(item) {
    item.abort.abort();
    this.pending = this.pending.filter((other) => other !== item);
    this.changed();
  },
};
