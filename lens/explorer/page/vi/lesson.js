// The lesson's widgets and header; the text itself is docs/attention.vi.md.

export const LESSON = {
  "the lesson": "bài học",
  "Chapters": "Các chương",
};
