// The widgets of chapters 2 and 3.

export const LESSON_JOURNEY = {
  "From the start": "Từ đầu",
  "Step {step} of {count}: {name}": "Bước {step}/{count}: {name}",
  "Point at a number, change one, or type words of your own": "Trỏ vào một con số, sửa nó, hoặc gõ những từ của bạn",
  "Your words": "Các từ của bạn",
  "Back to the three words": "Trở lại ba từ ban đầu",
  "Who asks": "Ai hỏi",
  "Self-attention": "Tự chú ý (self-attention)",
  "Cross-attention": "Chú ý chéo (cross-attention)",
  "Two words of another sequence ask, in invented vectors of their own. The words of X are keys and values. Their scores are divided by √3 before the softmax; chapter 4 tells why.":
    "Hai từ của một chuỗi khác hỏi, với các vectơ riêng, tự đặt ra. Các từ của X là khóa và giá trị. Điểm của chúng được chia cho √3 trước softmax; chương 4 nói vì sao.",
  "Q, the words that ask": "Q, các từ đặt câu hỏi",
  "X, the words": "X, các từ",
  "Scores ω": "Điểm ω",
  "Weights α": "Trọng số α",
  "Context z": "Ngữ cảnh z",
  "This comes with a later step.": "Con số này đến ở bước sau.",
  "Words other than the three get an invented vector from their letters: channel 1 is a tenth of the word’s length (1 at most), channel 2 its share of vowels, channel 3 the place of its first letter in the alphabet, z being 1. The same word always has the same vector.":
    "Từ nào không thuộc ba từ trên thì có một vectơ tự đặt ra từ các chữ cái: kênh 1 là một phần mười độ dài của từ (nhiều nhất là 1), kênh 2 là tỉ lệ nguyên âm, kênh 3 là vị trí chữ cái đầu trong bảng chữ cái Latinh, z ứng với 1 (không kể dấu). Cùng một từ luôn có cùng một vectơ.",
  "Channel {channel} of “{word}”. Change it, and everything that follows changes.":
    "Kênh {channel} của “{word}”. Hãy sửa nó, và mọi thứ phía sau đều thay đổi.",
  "How well does “{key}” fit what “{query}” asks?": "“{key}” hợp với điều “{query}” hỏi đến mức nào?",
  "So much of the attention of “{query}” goes to “{key}”. The row adds up to 1.":
    "Chừng ấy attention của “{query}” dành cho “{key}”. Cả hàng có tổng bằng 1.",
  "Channel {channel} of all words, mixed by the weights of “{query}”.": "Kênh {channel} của mọi từ, trộn theo các trọng số của “{query}”.",
  "Two loops over all pairs, or one matrix product? {tokens} words of {channels} channels:":
    "Hai vòng lặp qua mọi cặp, hay một phép nhân ma trận? {tokens} từ, mỗi từ {channels} kênh:",
  "Time both here": "Đo cả hai tại đây",
  "Two loops took {loops} ms, the product {product} ms: {ratio} times as long, and the numbers differ by {apart} at most. In PyTorch, where every call of a loop costs far more than its arithmetic, the gap is much wider: the code of this chapter measures it.":
    "Hai vòng lặp mất {loops} ms, phép nhân mất {product} ms: lâu gấp {ratio} lần, và các con số lệch nhau nhiều nhất {apart}. Trong PyTorch, mỗi lần gọi trong vòng lặp tốn hơn nhiều so với chính phép tính, nên khoảng cách rộng hơn hẳn: mã nguồn của chương này đo điều đó.",
  "X, an empty picture": "X, bức ảnh trống",
  "pe, the places": "pe, các vị trí",
  "W, invented": "W, tự đặt ra",
  "the weights": "các trọng số",
  "proj, invented": "proj, tự đặt ra",
  "the output": "kết quả",
  "Four tokens, and where each stands": "Bốn token, và chỗ đứng của mỗi token",
  "Choose W: it makes two channels of four": "Chọn W: biến bốn kênh thành hai",
  "Q, K and V: here one for all three": "Q, K và V: ở đây cả ba là một",
  "Scores: each pixel with each": "Điểm: mỗi điểm ảnh với từng điểm ảnh",
  "Scaled by 1/√d_k": "Nhân với 1/√d_k",
  "Softmax: each row adds up to 1": "Softmax: mỗi hàng có tổng bằng 1",
  "The mixture of V, and back to four channels": "Hỗn hợp của V, rồi trở lại bốn kênh",
  "Choose a pixel, or change a number of W or V": "Chọn một điểm ảnh, hoặc sửa một con số của W hay V",
  "The picture": "Bức ảnh",
  "V has been typed, and no longer follows from X and W.": "V đã được gõ vào, không còn tính từ X và W nữa.",
  "How much of its attention {name} gives to each pixel. It is followed below.":
    "{name} dành bao nhiêu attention cho mỗi điểm ảnh. Phía dưới theo dõi nó từng bước.",
  "{name} is followed below.": "Phía dưới theo dõi {name} từng bước.",
};
