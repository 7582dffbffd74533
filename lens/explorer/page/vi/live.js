// Typing, writing on, switching off; and the comparison of two views.

export const LIVE = {
  "Your own text": "Văn bản của bạn",
  "Your text": "Văn bản của bạn",
  "Type: what does your model make of it?": "Hãy gõ: mô hình của bạn hiểu ra sao?",
  "Unpacking the model …": "Đang mở mô hình …",
  "This browser does not let the model run here ({why}). All else on this page works.":
    "Trình duyệt này không cho mô hình chạy ở đây ({why}). Mọi thứ khác trên trang vẫn hoạt động.",
  "This browser cannot split text by the pattern of this model’s tokenizer, in which it does not know {part}.":
    "Trình duyệt này không tách được văn bản theo mẫu của bộ tách token (tokenizer) của mô hình, vì không hiểu {part} trong đó.",
  "The model in this page does not read this prompt. Type a text of your own.":
    "Mô hình trong trang này không đọc prompt này. Hãy gõ văn bản của bạn.",
  "1 token.": "1 token.",
  "{count} tokens.": "{count} token.",
  "Its end “{end}” is left off: in a longer text it is mostly the beginning of a longer token.":
    "Phần cuối “{end}” được bỏ ra: trong văn bản dài hơn, nó thường là phần đầu của một token dài hơn.",
  "The beginning is left off: of this text the model reads the last {read} of {all} tokens.":
    "Phần đầu được bỏ ra: trong văn bản này mô hình đọc {read} token cuối trên tổng số {all}.",
  "Not in its vocabulary, and so left out: {characters}.": "Không có trong bộ từ vựng nên bị bỏ qua: {characters}.",
  "The page carries no weights of step {step}: your text is read, and written on, by the model of the last step.":
    "Trang không mang trọng số của bước {step}: văn bản của bạn do mô hình ở bước cuối đọc và viết tiếp.",
  "exactly": "chính xác",
  "as float16": "dưới dạng float16",
  "as whole numbers of 8 bits with a scale for each row": "dưới dạng số nguyên 8 bit, mỗi hàng một hệ số tỉ lệ",
  "Here the page carries the weights {how}.": "Ở đây trang mang theo trọng số {how}.",
  "On the recorded prompts a logit is off by up to {difference}; all logits have a standard deviation of {spread}.":
    "Trên các prompt đã ghi, logit lệch nhiều nhất {difference}; độ lệch chuẩn của tất cả các logit là {spread}.",
  "The model does not run in this page: its weights would take {megabytes} MB of it, and at most {pageMb} are allowed (attention.page_mb).":
    "Mô hình không chạy trong trang này: trọng số của nó cần {megabytes} MB, trong khi tối đa là {pageMb} (attention.page_mb).",
  "The model does not run in this page: the weights of its last step were not kept (attention.keep_mb).":
    "Mô hình không chạy trong trang này: trọng số của bước cuối không được giữ lại (attention.keep_mb).",
  "The model does not run in this page: the weights of its last step are damaged.":
    "Mô hình không chạy trong trang này: trọng số của bước cuối bị hỏng.",
  "The model does not run in this page, as attention.page_mb is 0.": "Mô hình không chạy trong trang này, vì attention.page_mb bằng 0.",
  "The model does not run in this page, which was made without its weights.": "Mô hình không chạy trong trang này, vì trang được tạo mà không có trọng số của nó.",

  // what comes next
  "What it would write next": "Nó sẽ viết gì tiếp theo",
  "The likeliest next tokens; choose one to take it": "Các token tiếp theo dễ xảy ra nhất; chọn một token để viết nó",
  "was {share}": "trước {share}",
  "temperature": "nhiệt độ",
  "0 takes the likeliest token, 1 draws as the model predicts, more is wilder":
    "0 lấy token dễ xảy ra nhất, 1 rút theo đúng dự đoán của mô hình, lớn hơn thì phóng túng hơn",
  "top-k": "top-k",
  "draw only from so many of the likeliest tokens; empty: from all": "chỉ rút trong bấy nhiêu token dễ xảy ra nhất; để trống: rút trong tất cả",
  "top-p": "top-p",
  "draw only from the likeliest tokens that together have this probability; empty: from all":
    "chỉ rút trong các token dễ xảy ra nhất có tổng xác suất này; để trống: rút trong tất cả",
  "all": "tất cả",
  "Write on": "Viết tiếp",
  "Stop": "Dừng",
  "seed": "seed",
  "Again": "Viết lại",
  "Writes from the same place with the same seed": "Viết từ cùng một chỗ với cùng seed",
  "Another": "Bản khác",
  "Writes from the same place with the next seed": "Viết từ cùng một chỗ với seed kế tiếp",
  "It has written {count} tokens.": "Nó đã viết {count} token.",
  "The model ended its text here.": "Mô hình kết thúc văn bản ở đây.",
  "Stopped.": "Đã dừng.",

  // switched off
  "MLPs": "MLP",
  "MLP of layer {layer}": "MLP của lớp {layer}",
  "Switch {part} off or on": "Tắt hoặc bật {part}",
  "instead of it": "thay bằng",
  "zero": "số không",
  "its mean over the text": "trung bình trên văn bản",
  "All on again": "Bật lại tất cả",
  "Off: {parts}. ": "Đang tắt: {parts}. ",
  "Not at step {step}, whose weights this page does not carry.": "Không có ở bước {step}, vì trang không mang trọng số của bước này.",
  "A text of one token has no loss.": "Văn bản chỉ có một token thì không có mất mát.",
  "The loss of this text: {before} → {now} nats a token ({difference}).": "Mất mát (loss) của văn bản này: {before} → {now} nat mỗi token ({difference}).",
  "After “{token}”, the pinned token, the probability of “{guess}”: {before} → {now}.":
    "Sau “{token}”, token được ghim, xác suất của “{guess}”: {before} → {now}.",
  "At “{token}”, the pinned token: {before} → {now}.": "Tại “{token}”, token được ghim: {before} → {now}.",

  // two views
  "Keep this view as A": "Giữ góc nhìn này làm A",
  "Let go of A": "Bỏ A",
  "Then choose another head, step, prompt or text, or switch something off: that is B.":
    "Rồi chọn đầu, bước, prompt hay văn bản khác, hoặc tắt một phần nào đó: đó là B.",
  "{name}; arrow keys move the pinned cell": "{name}; phím mũi tên di chuyển ô được ghim",
  "query {i} {query} key {j} {key}: {weights}": "truy vấn {i} {query} khóa {j} {key}: {weights}",
  "position by position: their tokens are not all the same": "so theo từng vị trí: các token không hoàn toàn giống nhau",
  "loss of the prompt, nats a token": "mất mát của prompt, nat mỗi token",
  "losses of the run": "mất mát của lần huấn luyện",
  "without {parts}": "thiếu {parts}",
};
