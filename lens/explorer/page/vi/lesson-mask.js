// The lesson, the mask: see ../lesson/mask.js and maskless.js.

export const LESSON_MASK = {
  "Sentence": "Câu",
  "Last word": "Từ cuối",
  "or type another": "hoặc gõ một từ khác",
  "Mask: no word sees a later one": "Mặt nạ: không từ nào thấy từ đứng sau",
  "Each word is its own query, key and value, as in chapter 2; nothing is scaled. The vectors beyond “Your journey starts” are invented; a word that you type gets its vector from its letters, as in chapter 2.": "Mỗi từ tự là truy vấn, khóa và giá trị của mình, như ở chương 2; không chia tỉ lệ. Các vectơ ngoài “Your journey starts” là do tự đặt ra; vectơ của từ bạn gõ được tính từ các chữ cái của nó, như ở chương 2.",
  "Scores + mask": "Điểm + mặt nạ",
  "Weights": "Trọng số",
  "Outputs": "Kết quả",
  "Change the last word, and see which outputs move.": "Hãy đổi từ cuối và xem những kết quả nào thay đổi.",
  "“{own}” became “{end}”: only its own output moved. No earlier word can know.": "“{own}” thành “{end}”: chỉ kết quả của chính nó thay đổi. Không từ nào đứng trước biết được.",
  "“{own}” became “{end}”: {moved} of {count} outputs moved. The future leaks.": "“{own}” thành “{end}”: {moved} trên {count} kết quả thay đổi. Tương lai bị rò rỉ.",
  "Trained with the mask": "Có mặt nạ khi học",
  "Trained without it": "Không có mặt nạ",
  "The same small model, trained both ways: loss in nats per story, and what it then writes": "Cùng một mô hình nhỏ, huấn luyện theo hai cách: mất mát (loss) tính bằng nat mỗi truyện, và văn bản nó viết ra sau đó",
  "The line marks {floor}, the lowest loss that an honest model can reach on these stories. The one without a mask is below it: it reads the answer. When it writes, there is none to read.": "Vạch đánh dấu {floor}, mức mất mát thấp nhất mà một mô hình trung thực có thể đạt trên các truyện này. Mô hình không có mặt nạ nằm dưới vạch: nó đọc trộm đáp án. Khi phải tự viết, không còn đáp án nào để đọc.",
};
