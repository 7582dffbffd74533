// The lesson's header; the text itself is docs/attention.vi.md, and its widgets are in the other files that begin with lesson.

export const LESSON = {
  "The lesson": "Bài học",
  "the lesson": "bài học",
  "The maps": "Các bản đồ",
  "Chapters": "Các chương",
  "Next: {title}": "Tiếp theo: {title}",
  "Back to the beginning": "Về đầu trang",
};
