// Says so when a page has not been updated for long: nobody should take an old picture for a new one.
(() => {
  let seen = "", since = Date.now();
  setInterval(() => {
    const clock = document.getElementById("as-of"), stale = document.getElementById("stale");
    if (!clock || !stale) return;
    if (clock.dataset.at !== seen) { seen = clock.dataset.at; since = Date.now(); }
    stale.hidden = Date.now() - since < 90000;
  }, 5000);
})();
