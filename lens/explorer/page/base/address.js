// What is chosen on a page, in its address.

/** {read, isNew, write}; until `read` was called first, `write` leaves the address alone. */
export function addressKeeper() {
  let seen = null; // the address as it was last read or written here
  const isNew = () => location.hash !== seen;
  return {
    read: () => (seen = location.hash),
    isNew,

    /** Puts a hash there, without a place of its own in the browser's history. */
    write(hash) {
      if (isNew()) return; // one was put in by hand, which the page is about to go to
      try {
        history.replaceState(null, "", hash);
        seen = location.hash;
      } catch {
        // A sandboxed frame may refuse: what is chosen is then not in its address, and all else works.
      }
    },
  };
}
