// A piece of a page that is replaced by itself: only nodes that differ are touched, so nothing flickers, what is
// selected stays selected, and a click hits what was there when the finger went down.
function same(a, b) {
  return a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id || "") === (b.id || "");
}

function attributes(from, to) {
  for (const { name } of [...from.attributes]) if (!to.hasAttribute(name)) from.removeAttribute(name);
  for (const { name, value } of [...to.attributes]) if (from.getAttribute(name) !== value) from.setAttribute(name, value);
}

function morph(from, to) {
  const known = new Map();
  for (const child of from.children) if (child.id) known.set(child.id, child);
  let at = from.firstChild;
  for (const wanted of [...to.childNodes]) {
    const moved = wanted.nodeType === 1 && wanted.id ? known.get(wanted.id) : null;
    if (moved && moved !== at && same(moved, wanted)) {
      from.insertBefore(moved, at);
      at = moved;
    }
    if (at && same(at, wanted)) {
      if (at.nodeType === 1) {
        attributes(at, wanted);
        if (!at.isEqualNode(wanted)) morph(at, wanted);
      } else if (at.nodeValue !== wanted.nodeValue) {
        at.nodeValue = wanted.nodeValue;
      }
      at = at.nextSibling;
    } else {
      from.insertBefore(wanted, at);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

export default {
  template: "<div></div>",
  props: { content: String },
  mounted() {
    this.$el.innerHTML = this.content;
  },
  watch: {
    content(value) {
      const wanted = document.createElement("div");
      wanted.innerHTML = value;
      morph(this.$el, wanted);
    },
  },
};
